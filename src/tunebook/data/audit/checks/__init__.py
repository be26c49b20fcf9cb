"""The checks of the audit, found by their files; each has `check(context)`, see `tunebook.data.audit.check_result`."""
