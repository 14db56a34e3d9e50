"""What axe-core finds wrong with a page as it stands."""

from __future__ import annotations

from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Page


async def violations(page: Page) -> list[str]:
    """A line for each element that breaks a rule of WCAG 2.2 AA or a best practice: rule, element, why."""
    await page.evaluate(AXE_SCRIPT)  # by the debugger: the page's own policy lets no such script in
    found = await page.evaluate("axe.run({resultTypes: ['violations']}).then((told) => told.violations)")
    return [
        f"{rule['id']} ({rule['impact']}): {' '.join(element['target'])}: {element['failureSummary']}"
        for rule in found
        for element in rule["nodes"]
    ]
