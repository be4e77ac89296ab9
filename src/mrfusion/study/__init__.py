"""The controlled comparison: what the patients say about the arms of a study."""
