"""Organizational influence of the backer on what is merged."""

from advisor.model import Metric

# A merger's organisation is the one whose address they used last, be it for a commit or for a merge, in all
# of their merges; failing that, the company that they name on GitHub.
METRIC = Metric(
    name="organizational_influence_merges",
    title="Organizational influence of the backer on merges",
    definition=(
        "Share of the window's merged change requests of people that the backer's people merged, over those "
        "whose merger's organisation is known: from an address that they used by then, or from the "
        "organisation on GitHub that they name as their company. Low end: nobody else is the backer's; high end: "
        "everybody who is not known is. Who merged is not known where GitHub squashed or a bot merged. "
        "Not applicable below ten merges or with under a tenth known."
    ),
    unit="share",
    direction="less",
    sql="""
    WITH shown AS (
        SELECT repository, author, day, organisation AS domain FROM contributions
        WHERE organisation IS NOT NULL AND NOT is_bot AND repository IN (SELECT repository FROM backed)
        UNION ALL
        SELECT repository, merged_by, CAST(merged_at AS DATE), merged_by_organisation FROM threads
        WHERE merged_by IS NOT NULL AND merged_by_organisation IS NOT NULL
            AND repository IN (SELECT repository FROM backed)
    ),
    affiliations AS (
        SELECT repository, author, domain FROM shown
        QUALIFY row_number() OVER (PARTITION BY repository, author ORDER BY day DESC, domain) = 1
    ),
    named AS (
        SELECT domain AS name, organisation FROM organisation_domains
        UNION ALL SELECT '@' || owner, organisation FROM backers
    ),
    every AS (
        SELECT t.repository, t.source, CAST(t.merged_at AS DATE) AS day, b.organisation AS backer,
               t.merged_by IS NOT NULL OR t.merged_by_organisation IS NOT NULL AS has_merger,
               coalesce(n.organisation, a.domain, t.merged_by_organisation) AS organisation
        FROM threads AS t JOIN backed AS b ON t.repository = b.repository
        LEFT JOIN affiliations AS a ON t.repository = a.repository AND t.merged_by = a.author
        LEFT JOIN named AS n ON n.name = coalesce(a.domain, t.merged_by_organisation)
        WHERE t.kind = 'change_request' AND NOT t.is_bot AND t.merged_at IS NOT NULL
    ),
    seen AS (
        SELECT DISTINCT a.repository, n.organisation FROM affiliations AS a JOIN named AS n ON a.domain = n.name
        UNION SELECT repository, organisation FROM every WHERE organisation = backer
    ),
    sums AS (
        SELECT e.repository, count(*) AS total, list(DISTINCT source) AS sources, min(day) AS first_day, max(day) AS last_day,
               bool_or(s.organisation IS NOT NULL) AS seen, count(*) FILTER (has_merger) AS mergers,
               count(e.organisation) AS known, count(*) FILTER (e.organisation = backer) AS backers_own
        FROM every AS e LEFT JOIN seen AS s ON e.repository = s.repository AND e.backer = s.organisation
        WHERE day > $as_of - CAST($window_days AS INTEGER) GROUP BY e.repository
    )
    SELECT repository,
           CASE WHEN seen AND total >= 10 AND 10 * known >= total THEN backers_own / known::DOUBLE END AS value,
           CASE WHEN seen AND total >= 10 AND 10 * known >= total THEN backers_own / total::DOUBLE END AS low,
           CASE WHEN seen AND total >= 10 AND 10 * known >= total THEN (backers_own + total - known) / total::DOUBLE END AS high,
           total AS n, known / total::DOUBLE AS evidence_share, sources, first_day, last_day,
           CASE WHEN known = 0 THEN 'the merger of ' || mergers || ' of ' || total || ' is known, their organisation of none'
                WHEN NOT seen THEN 'nobody in its history is known to be its backer''s'
                WHEN total < 10 THEN 'only ' || total || ' merges in the window: concentration says nothing'
                WHEN 10 * known < total THEN 'the organisation of the merger of ' || known || ' of ' || total || ' is known' END AS reason
    FROM sums
    """,
    needs=("threads", "contributions"),
    window_days=365,
)
