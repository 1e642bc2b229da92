"""SQL of affiliations: a person belongs to the organisation whose e-mail address they used last."""

# The repositories whose owner is in the table of backers, with the backer.
BACKED_SQL = """
    SELECT r.repository, b.organisation FROM (
        SELECT DISTINCT repository FROM contributions UNION SELECT DISTINCT repository FROM threads
    ) AS r JOIN backers AS b ON lower(split_part(r.repository, '/', 1)) = b.owner"""

# The last year's commits of people. Most commits have a private or a noreply address. If a person ever used
# an organisation's address (one whose domain other people of the repository use too, see
# collect/git/authors.py), all of their commits count for that organisation. organisations.toml joins the
# domains of one organisation. Columns: ``organisation`` (NULL: unknown), ``backer`` (NULL: not in the table),
# ``is_from_backer``, and ``has_backer_people`` (any person in the repository's history belongs to the backer).
AFFILIATED_SQL = """
    WITH domain_days AS (
        SELECT repository, author, organisation, max(day) AS day FROM contributions
        WHERE organisation IS NOT NULL AND NOT is_bot GROUP BY repository, author, organisation
    ),
    affiliations AS (
        SELECT repository, author, organisation AS domain FROM domain_days
        QUALIFY row_number() OVER (PARTITION BY repository, author ORDER BY day DESC, organisation) = 1
    ),
    person_organisations AS (
        SELECT a.repository, a.author, coalesce(d.organisation, a.domain) AS organisation,
               d.organisation AS listed_organisation
        FROM affiliations AS a LEFT JOIN organisation_domains AS d ON a.domain = d.domain
    ),
    organisations_with_people AS (SELECT DISTINCT repository, listed_organisation FROM person_organisations)
    SELECT c.repository, c.day, c.author, c.commits, c.source, n.organisation, b.organisation AS backer,
           coalesce(n.listed_organisation = b.organisation, false) AS is_from_backer,
           s.listed_organisation IS NOT NULL AS has_backer_people
    FROM contributions AS c
    LEFT JOIN person_organisations AS n ON c.repository = n.repository AND c.author = n.author
    LEFT JOIN backed_repositories AS b ON c.repository = b.repository
    LEFT JOIN organisations_with_people AS s ON c.repository = s.repository AND b.organisation = s.listed_organisation
    WHERE c.day > $as_of - 365 AND NOT c.is_bot"""
