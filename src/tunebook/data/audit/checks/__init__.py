"""The checks of the audit, found by their files; each has `look(material)`, see `tunebook.data.audit.looks`."""
