"""Measured peak memory."""

from advisor.model import Metric

METRIC = Metric(
    name="measured_peak_memory",
    title="Measured peak memory",
    definition=(
        "Peak memory over that of a plain trl run of the same bench on the same machine, "
        "as the last bench of this library measured it: its median over the settings of that day, with the "
        "smallest and largest run. Older than a year it does not count."
    ),
    unit="times trl",
    direction="less",
    sql="""
    SELECT repository, median(value) AS value, min(low) AS low, max(high) AS high, count(*) AS n,
           1.0 AS evidence_share, list(DISTINCT source) AS sources, day AS first_day, day AS last_day,
           array_to_string(list_sort(list(DISTINCT concat(stack, ' ', version, ' on ', machine, ', ', setting))), '; ')
           || '; ' || date_diff('day', day, $as_of) || ' days ago' AS reason
    FROM benchmarks WHERE figure = 'relative_peak_memory' AND day > $as_of - CAST($window_days AS INTEGER)
    GROUP BY repository, day
    QUALIFY row_number() OVER (PARTITION BY repository ORDER BY day DESC) = 1
    """,
    needs=("benchmarks",),
    window_days=365,
)
