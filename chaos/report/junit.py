"""JUnit XML: a suite for each case, a test for each checker. Violations are failures; invalid and
unknown errors."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from chaos.suite import Judged


def junit(found: Sequence[Judged]) -> str:
    root = ElementTree.Element("testsuites", name="cronclave chaos")
    for judged in found:
        bad = [f for f in judged.findings if f.verdict == "violation"]
        unsure = [f for f in judged.findings if f.verdict in ("invalid", "unknown")]
        suite = ElementTree.SubElement(
            root, "testsuite", name=judged.name, tests=str(len(judged.findings)), failures=str(len(bad)),
            errors=str(len(unsure)),
        )  # fmt: skip
        properties = ElementTree.SubElement(suite, "properties")
        for key in ("seed", "profile", "links"):
            ElementTree.SubElement(properties, "property", name=key, value=str(judged.plan.get(key, "")))
        for finding in judged.findings:
            test = ElementTree.SubElement(
                suite, "testcase", classname=f"chaos.{judged.name}", name=finding.checker
            )
            if finding.verdict == "pass":
                continue
            kind = "failure" if finding.verdict == "violation" else "error"
            told = ElementTree.SubElement(test, kind, type=finding.verdict, message=finding.summary)
            told.text = "\n".join(f"{offence.kind}: {offence.detail}" for offence in finding.offences)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"
