"""What several parts try things on."""
