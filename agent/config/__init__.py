"""From what people wrote in YAML to settings, or every problem: where, what is wrong, what would be right."""
