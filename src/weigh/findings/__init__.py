"""From records to findings: one room per section of the report, and what the findings share. Trains nothing."""
