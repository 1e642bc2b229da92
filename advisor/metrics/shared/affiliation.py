"""Who worked for whom, in SQL: a person's organisation is the one whose address they used last."""

# The repositories whose owner is in the table of backers, and whose they are: few of many.
BACKED = """
    SELECT r.repository, b.organisation FROM (
        SELECT DISTINCT repository FROM contributions UNION SELECT DISTINCT repository FROM threads
    ) AS r JOIN backers AS b ON lower(split_part(r.repository, '/', 1)) = b.owner"""

# Most commits carry a private or a noreply address; a person who ever used an organisation's address (one
# that others of the repository share, see collect/authors.py) is taken to belong to it in all commits.
# Domains of one organisation are joined by organisations.toml. The last year's rows of people with
# ``organisation`` (NULL: unknown), ``backer`` (NULL: the owner is in no table), ``is_backers``, and whether
# anybody of the repository's history was ever ``seen`` to be the backer's.
AFFILIATED = """
    WITH used AS (
        SELECT repository, author, organisation, max(day) AS day FROM contributions
        WHERE organisation IS NOT NULL AND NOT is_bot GROUP BY repository, author, organisation
    ),
    affiliations AS (
        SELECT repository, author, organisation AS domain FROM used
        QUALIFY row_number() OVER (PARTITION BY repository, author ORDER BY day DESC, organisation) = 1
    ),
    named AS (
        SELECT a.repository, a.author, coalesce(d.organisation, a.domain) AS organisation,
               d.organisation AS known_as
        FROM affiliations AS a LEFT JOIN organisation_domains AS d ON a.domain = d.domain
    ),
    seen AS (SELECT DISTINCT repository, known_as FROM named)
    SELECT c.repository, c.day, c.author, c.commits, c.source, n.organisation, b.organisation AS backer,
           coalesce(n.known_as = b.organisation, false) AS is_backers, s.known_as IS NOT NULL AS seen
    FROM contributions AS c
    LEFT JOIN named AS n ON c.repository = n.repository AND c.author = n.author
    LEFT JOIN backed AS b ON c.repository = b.repository
    LEFT JOIN seen AS s ON c.repository = s.repository AND b.organisation = s.known_as
    WHERE c.day > $as_of - 365 AND NOT c.is_bot"""
