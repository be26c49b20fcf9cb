"""The kinds of label columns, one file a kind; see `labels.base.LabelType`. Knows no task and no source."""
