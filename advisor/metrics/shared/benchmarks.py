"""SQL of the latest bench of a library: the median over the settings of its day."""


def latest_bench_sql(figure: str) -> str:
    """Return the query of a metric: a figure of ``benchmarks`` with its smallest and largest run.

    The reason names the versions, machines and settings.

    Args:
        figure: name of a figure relative to a plain run of trl.
    """
    return f"""
    SELECT repository, median(value) AS value, min(low) AS low, max(high) AS high, count(*) AS n,
           1.0 AS evidence_share, list(DISTINCT source) AS sources, day AS first_day, day AS last_day,
           array_to_string(list_sort(list(DISTINCT concat(stack, ' ', version, ' on ', machine, ', ', setting))), '; ')
           || '; ' || date_diff('day', day, $as_of) || ' days ago' AS reason
    FROM benchmarks WHERE figure = '{figure}' AND day > $as_of - CAST($window_days AS INTEGER)
    GROUP BY repository, day
    QUALIFY row_number() OVER (PARTITION BY repository ORDER BY day DESC) = 1
    """
