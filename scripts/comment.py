"""Keep one comment on a change request up to date: comment.py OWNER/NAME NUMBER REPORT.md.

The action calls it. The variables are those of GitHub Actions: GITHUB_TOKEN, GITHUB_API_URL.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from github import Auth, Github

MARK = "<!-- advisor: health of dependencies -->"
MOST_CHARACTERS = 65_000  # GitHub refuses a comment with more than 65,536


def update_comment(github: Github, repository: str, number: int, report: str) -> str:
    """Write the report into the comment with our mark, or into a new one; return the address of the comment."""
    body = f"{MARK}\n{report}"
    if len(body) > MOST_CHARACTERS:
        body = f"{body[:MOST_CHARACTERS]}\n\nThe report is longer: see the summary of the workflow."
    issue = github.get_repo(repository, lazy=True).get_issue(number)
    for comment in issue.get_comments():
        if comment.body.startswith(MARK) and comment.user.type == "Bot":
            if comment.body != body:
                comment.edit(body)
            return comment.html_url
    return issue.create_comment(body).html_url


def main() -> None:
    """Update the comment that the command line names."""
    repository, number, path = sys.argv[1:]
    api = os.environ.get("GITHUB_API_URL", "https://api.github.com")
    github = Github(auth=Auth.Token(os.environ["GITHUB_TOKEN"]), base_url=api)
    print(update_comment(github, repository, int(number), Path(path).read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
