"""The report: findings as a page, a terminal text, Markdown, JSON, a model card and notebook cells. No torch."""
