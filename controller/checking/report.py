"""The report: a line for each finding, or one JSON document."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence

from controller.checking.findings import Finding, Level
from controller.logs import redact_text


def worst(findings: Sequence[Finding]) -> Level:
    """The level of the whole."""
    levels = {finding.level for finding in findings}
    return next((level for level in (Level.FAIL, Level.WARN) if level in levels), Level.OK)


def report_lines(findings: Sequence[Finding]) -> Iterator[str]:
    """`level  subject: what was found. What to do`, and a line that sums up."""
    for finding in findings:
        line = f"{finding.level:<4}  {finding.subject}: {finding.found}"
        yield redact_text(f"{line}. {finding.remedy}" if finding.remedy else line)
    counts = Counter(finding.level for finding in findings)
    yield ", ".join(f"{counts[level]} {level}" for level in Level)


def report_json(findings: Sequence[Finding]) -> str:
    """`{"level": …, "findings": [{"level", "subject", "found", "remedy"?}]}`."""
    document = {
        "level": worst(findings),
        "findings": [
            {
                "level": finding.level,
                "subject": finding.subject,
                "found": redact_text(finding.found),
                **({"remedy": redact_text(finding.remedy)} if finding.remedy else {}),
            }
            for finding in findings
        ],
    }
    return json.dumps(document, ensure_ascii=False, indent=2)
