"""Who worked for whom, in SQL: a person's organisation is the one whose address they used last."""

# Most commits carry a private or a noreply address; a person who ever used an organisation's address (one
# that others of the repository share, see collect/authors.py) is taken to belong to it in all commits.
# Domains of one organisation are joined by organisations.toml. Ends in ``affiliated``: the window's rows of
# people with ``organisation`` (NULL: unknown), ``backer`` (NULL: the owner is in no table), ``is_backers``,
# and whether anybody of the repository's history was ever ``seen`` to be the backer's.
AFFILIATED = """
    used AS (
        SELECT repository, author, organisation, max(day) AS day FROM contributions
        WHERE organisation IS NOT NULL AND NOT is_bot GROUP BY repository, author, organisation
    ),
    affiliations AS (
        SELECT repository, author, organisation AS domain FROM used
        QUALIFY row_number() OVER (PARTITION BY repository, author ORDER BY day DESC, organisation) = 1
    ),
    seen AS (
        SELECT DISTINCT a.repository, d.organisation
        FROM affiliations AS a JOIN organisation_domains AS d ON a.domain = d.domain
    ),
    affiliated AS (
        SELECT c.repository, c.day, c.author, c.commits, c.source,
               coalesce(d.organisation, a.domain) AS organisation, b.organisation AS backer,
               coalesce(d.organisation = b.organisation, false) AS is_backers,
               s.organisation IS NOT NULL AS seen
        FROM contributions AS c
        LEFT JOIN affiliations AS a ON c.repository = a.repository AND c.author = a.author
        LEFT JOIN organisation_domains AS d ON a.domain = d.domain
        LEFT JOIN backers AS b ON lower(split_part(c.repository, '/', 1)) = b.owner
        LEFT JOIN seen AS s ON c.repository = s.repository AND b.organisation = s.organisation
        WHERE c.day > $as_of - CAST($window_days AS INTEGER) AND NOT c.is_bot
    )"""
