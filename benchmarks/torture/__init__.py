"""What happens under kills, full disks, damaged files and hostile inputs: long proofs, run by hand (`make torture`)."""
