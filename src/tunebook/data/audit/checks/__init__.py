"""The checks of the audit, one file each with `check(context)`; see `tunebook.data.audit.check_result`."""
