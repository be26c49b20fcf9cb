"""Why a backbone cannot be cached: a sentence for the log, not a mistake of the user's."""


class NotCacheable(Exception):
    """States in front of the trained part cannot be computed once and served; the message says why.

    The run goes on without, and loses time only.
    """
