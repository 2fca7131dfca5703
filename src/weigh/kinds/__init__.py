"""What an example is labelled with: one object per kind, the only place that knows how kinds differ."""
