"""Sentences of tagged tokens: columns, JSON, tables; tags to entities; new sentences."""
