"""The names of the files in a run's folder and in a bundle, for those who write them and those who read them.

In: nothing. Out: names.
"""

from __future__ import annotations

# Of one visit, in its bundle.
TIMELINE_NAME = "timeline.jsonl"
RESULT_NAME = "result.json"
ERROR_CONTEXT_NAME = "error-context.md"
MANIFEST_NAME = "manifest.json"
HAR_NAME = "network.har"
CONSOLE_NAME = "console.log"
DOM_NAME = "dom.html"
TRACE_NAME = "trace.zip"

# Of a run, in its folder.
RECORD_NAME = "run.json"
REPORT_NAME = "report.html"
JUNIT_NAME = "junit.xml"
CTRF_NAME = "ctrf-report.json"
