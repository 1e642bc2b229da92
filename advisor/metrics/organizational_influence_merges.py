"""Organizational influence of the backer on what is merged."""

from advisor.model import Metric

# The organisation of a person who merges is the one whose e-mail address they used last, for a commit or a
# merge. It applies to all of their merges. Without such an address it is the company that they state on GitHub.
METRIC = Metric(
    name="organizational_influence_merges",
    title="Organizational influence of the backer on merges",
    definition=(
        "Share of the last year's merged change requests (bots excluded) that the backer's people merged, for "
        "merges by people with a known organisation. A person's organisation is known from an e-mail address "
        "that they used by the as-of date, or from the GitHub organisation that they state as their company. "
        "Low end: no other person belongs to the backer. High end: every person without a known organisation "
        "belongs to the backer. The person who merged is unknown if GitHub squashed the commits or a bot "
        "merged. Not applicable with fewer than ten merges, or if the organisation is known for fewer than a "
        "tenth of the merges."
    ),
    unit="share",
    direction="less",
    sql="""
    WITH domain_uses AS (
        SELECT repository, author, day, organisation AS domain FROM contributions
        WHERE organisation IS NOT NULL AND NOT is_bot AND repository IN (SELECT repository FROM backed_repositories)
        UNION ALL
        SELECT repository, merged_by, CAST(merged_at AS DATE), merged_by_organisation FROM threads
        WHERE merged_by IS NOT NULL AND merged_by_organisation IS NOT NULL
            AND repository IN (SELECT repository FROM backed_repositories)
    ),
    affiliations AS (
        SELECT repository, author, domain FROM domain_uses
        QUALIFY row_number() OVER (PARTITION BY repository, author ORDER BY day DESC, domain) = 1
    ),
    organisation_names AS (
        SELECT domain AS name, organisation FROM organisation_domains
        UNION ALL SELECT '@' || owner, organisation FROM backers
    ),
    merges AS (
        SELECT t.repository, t.source, CAST(t.merged_at AS DATE) AS day, b.organisation AS backer,
               t.merged_by IS NOT NULL OR t.merged_by_organisation IS NOT NULL AS has_merger,
               coalesce(n.organisation, a.domain, t.merged_by_organisation) AS organisation
        FROM threads AS t JOIN backed_repositories AS b ON t.repository = b.repository
        LEFT JOIN affiliations AS a ON t.repository = a.repository AND t.merged_by = a.author
        LEFT JOIN organisation_names AS n ON n.name = coalesce(a.domain, t.merged_by_organisation)
        WHERE t.kind = 'change_request' AND NOT t.is_bot AND t.merged_at IS NOT NULL
    ),
    organisations_with_people AS (
        SELECT DISTINCT a.repository, n.organisation FROM affiliations AS a JOIN organisation_names AS n ON a.domain = n.name
        UNION SELECT repository, organisation FROM merges WHERE organisation = backer
    ),
    sums AS (
        SELECT e.repository, count(*) AS total, list(DISTINCT source) AS sources, min(day) AS first_day, max(day) AS last_day,
               bool_or(s.organisation IS NOT NULL) AS has_backer_people, count(*) FILTER (has_merger) AS merger_count,
               count(e.organisation) AS known_count, count(*) FILTER (e.organisation = backer) AS backer_count
        FROM merges AS e LEFT JOIN organisations_with_people AS s ON e.repository = s.repository AND e.backer = s.organisation
        WHERE day > $as_of - CAST($window_days AS INTEGER) GROUP BY e.repository
    )
    SELECT repository,
           CASE WHEN has_backer_people AND total >= 10 AND 10 * known_count >= total THEN backer_count / known_count::DOUBLE END AS value,
           CASE WHEN has_backer_people AND total >= 10 AND 10 * known_count >= total THEN backer_count / total::DOUBLE END AS low,
           CASE WHEN has_backer_people AND total >= 10 AND 10 * known_count >= total THEN (backer_count + total - known_count) / total::DOUBLE END AS high,
           total AS n, known_count / total::DOUBLE AS evidence_share, sources, first_day, last_day,
           CASE WHEN known_count = 0 THEN 'the person who merged is known for ' || merger_count || ' of ' || total || ' change requests, but their organisation is never known'
                WHEN NOT has_backer_people THEN 'no person in its history is known to belong to the backer'
                WHEN total < 10 THEN 'only ' || total || ' change requests were merged in the last year: too few to measure concentration'
                WHEN 10 * known_count < total THEN 'the organisation of the person who merged is known for only ' || known_count || ' of ' || total || ' change requests' END AS reason
    FROM sums
    """,
    needs=("threads", "contributions"),
    window_days=365,
)
