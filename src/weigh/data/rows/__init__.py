"""Where rows come from, whatever they are of: folders, paths in tables, saved datasets, parts; and how they become examples."""
