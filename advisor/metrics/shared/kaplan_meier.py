"""SQL of the Kaplan-Meier median over threads: open threads are censored, not excluded."""

from advisor.metrics.shared.survival import medians


def median_sql(kind: str, event: str, reason: str, condition: str = "true") -> str:
    """Return the query of a metric: median days from opening to an event, per repository.

    Args:
        kind: kind of the threads.
        event: column with the time of the event. If it is NULL, the thread is censored when it is closed,
            or at the end of the as-of date.
        reason: the reason without a median, because the survival curve stays above 0.5.
        condition: SQL condition of the threads for which the event is known or known to be missing. Their
            share is the evidence share.
    """
    return f"""
    WITH threads_of_kind AS (
        SELECT *, coalesce({condition}, false) AS is_known FROM recent_threads WHERE kind = '{kind}'
    ),
    spans AS (
        SELECT repository, source, opened_at AS start_time,
               CASE WHEN {event} IS NOT NULL THEN 1.0 ELSE 0.0 END AS is_event,
               greatest(0, epoch(coalesce({event}, closed_at, closed_by, $as_of + INTERVAL 1 DAY)) - epoch(opened_at)) / 86400 AS days
        FROM threads_of_kind WHERE is_known
    ),
    {medians("repository")},
    provenance AS (
        SELECT repository, list(DISTINCT source) AS sources, min(start_time)::DATE AS first_day,
               max(start_time)::DATE AS last_day FROM spans GROUP BY repository
    ),
    evidence AS (
        SELECT repository, count(*) FILTER (is_known) / count(*)::DOUBLE AS evidence_share
        FROM threads_of_kind GROUP BY repository
    )
    SELECT m.repository, median AS value, CASE WHEN median IS NOT NULL THEN low END AS low,
           CASE WHEN median IS NOT NULL THEN coalesce(high, longest) END AS high, n,
           evidence_share, sources, first_day, last_day,
           CASE WHEN median IS NULL THEN '{reason}' END AS reason
    FROM medians AS m JOIN provenance AS p ON m.repository = p.repository
    JOIN evidence AS e ON m.repository = e.repository
    """
