"""A run speaks through its own handlers, and leaves the logs of whoever called it as they were."""

import logging

from tunebook.log import logging_to


def test_the_callers_logs_are_as_before(tmp_path, caplog, capsys):
    logger = logging.getLogger("tunebook")
    before = logger.level, logger.propagate
    with logging_to(tmp_path / "log.txt", main=True) as log:
        log.info("within")
        assert not logger.propagate
    assert (logger.level, logger.propagate, logger.handlers) == (*before, [])
    logger.propagate = True
    logger.warning("behind")
    logger.propagate = before[1]
    assert "within" in (tmp_path / "log.txt").read_text()
    assert "within" in capsys.readouterr().out
    assert [record.getMessage() for record in caplog.records] == ["behind"]
