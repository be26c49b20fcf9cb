"""Why a backbone cannot be cached: a sentence for the log, not an error of the user."""


class NotCacheable(Exception):
    """The states before the trained part cannot be computed once and reused; the message says why.

    The run goes on without a cache, only slower.
    """
