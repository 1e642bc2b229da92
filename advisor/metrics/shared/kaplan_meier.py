"""The median after Kaplan and Meier over threads, as SQL: what has not happened yet is censored, not left out."""

from advisor.metrics.shared.survival import medians


def median(kind: str, event: str, missing: str, known: str = "true") -> str:
    """A metric's query: days from opening until ``event``, by repository.

    Args:
        kind: kind of the threads.
        event: column with the time of the event, NULL where it has not happened; then the thread is
            censored at its closing or at the end of the as-of date.
        missing: the reason to give where more than half of the survival curve stays above 0.5.
        known: condition for threads of which it is known whether it happened; the share of those is
            the share of evidence.
    """
    return f"""
    WITH opened AS (
        SELECT *, coalesce({known}, false) AS known FROM recent_threads WHERE kind = '{kind}'
    ),
    spans AS (
        SELECT repository, source, opened_at AS began,
               CASE WHEN {event} IS NOT NULL THEN 1.0 ELSE 0.0 END AS happened,
               greatest(0, epoch(coalesce({event}, closed_at, closed_by, $as_of + INTERVAL 1 DAY)) - epoch(opened_at)) / 86400 AS days
        FROM opened WHERE known
    ),
    {medians("repository")},
    about AS (
        SELECT repository, list(DISTINCT source) AS sources, min(began)::DATE AS first_day,
               max(began)::DATE AS last_day FROM spans GROUP BY repository
    ),
    evidence AS (
        SELECT repository, count(*) FILTER (known) / count(*)::DOUBLE AS evidence_share FROM opened GROUP BY repository
    )
    SELECT m.repository, median AS value, CASE WHEN median IS NOT NULL THEN low END AS low,
           CASE WHEN median IS NOT NULL THEN coalesce(high, longest) END AS high, n,
           evidence_share, sources, first_day, last_day,
           CASE WHEN median IS NULL THEN '{missing}' END AS reason
    FROM medians AS m JOIN about AS a ON m.repository = a.repository
    JOIN evidence AS e ON m.repository = e.repository
    """
