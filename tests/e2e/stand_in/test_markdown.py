"""The stand-in's Markdown: what it knows becomes elements, everything else stays text."""

from __future__ import annotations

from conformance.host import DEADLINE_MS, Host

RENDERED = {
    # inside a line
    "plain": "<p>plain</p>",
    "a **b** c": "<p>a <strong>b</strong> c</p>",
    "*a* and _b_ and ~~c~~": "<p><em>a</em> and <em>b</em> and <s>c</s></p>",
    "**a *b* c**": "<p><strong>a <em>b</em> c</strong></p>",
    "snake_case_name 2*3*4": "<p>snake_case_name 2<em>3</em>4</p>",
    "`a < b` and ``c ` d``": "<p><code>a &lt; b</code> and <code>c ` d</code></p>",
    "`**not bold**`": "<p><code>**not bold**</code></p>",
    r"\*not em\*": "<p>*not em*</p>",
    "one  \ntwo": "<p>one<br>two</p>",
    "unfinished **bold": "<p>unfinished **bold</p>",
    "unfinished `code": "<p>unfinished `code</p>",
    # blocks
    "a\n\nb": "<p>a</p><p>b</p>",
    "# A\ntext": "<h3>A</h3><p>text</p>",
    "#### D ####": "<h6>D</h6>",
    "- a\n- b": "<ul><li>a</li><li>b</li></ul>",
    "1. a\n2. b": "<ol><li>a</li><li>b</li></ol>",
    "3. a\n4. b": '<ol start="3"><li>a</li><li>b</li></ol>',
    "- a\n  - b\n  - c\n- d": "<ul><li>a<ul><li>b</li><li>c</li></ul></li><li>d</li></ul>",
    "1. a\n   - b\n2. c": "<ol><li>a<ul><li>b</li></ul></li><li>c</li></ol>",
    "- a\n\n- b": "<ul><li>a</li><li>b</li></ul>",
    "text\n- a": "<p>text</p><ul><li>a</li></ul>",
    "> a\n> b\n\nc": "<blockquote><p>a\nb</p></blockquote><p>c</p>",
    "---": "<hr>",
    "```js\nif (a < b) {}\n\n// c\n```\nd": (
        '<pre tabindex="0"><code data-language="js">if (a &lt; b) {}\n\n// c</code></pre><p>d</p>'
    ),
    "```\nunfinished": '<pre tabindex="0"><code>unfinished</code></pre>',
    "| A | B |\n|---|:-:|\n| 1 | `2` |": (
        '<div class="table" tabindex="0"><table><thead><tr><th>A</th><th>B</th></tr></thead>'
        "<tbody><tr><td>1</td><td><code>2</code></td></tr></tbody></table></div>"
    ),
    "a | b\nc": "<p>a | b\nc</p>",
    "": "",
}

LINK = 'target="_blank" rel="noopener noreferrer"'
LINKS = {
    "[a](https://a.test/b)": f'<p><a href="https://a.test/b" {LINK}>a</a></p>',
    "see https://a.test/b.": f'<p>see <a href="https://a.test/b" {LINK}>https://a.test/b</a>.</p>',
    "[a](chatkit-link://x?y=1)": '<p><span role="button" tabindex="0" class="deeplink">a</span></p>',
    "[a](javascript:alert(1))": "<p><span>a</span>)</p>",
    "[a](data:text/html,x)": "<p><span>a</span></p>",
    "![a](https://a.test/b.png)": f'<p><a href="https://a.test/b.png" {LINK}>a</a></p>',
}

UNSAFE = {
    "<b>a</b>": "<p>&lt;b&gt;a&lt;/b&gt;</p>",
    "<img src=x onerror=alert(1)>": "<p>&lt;img src=x onerror=alert(1)&gt;</p>",
    "```\n</code><script>alert(1)</script>\n```": (
        '<pre tabindex="0"><code>&lt;/code&gt;&lt;script&gt;alert(1)&lt;/script&gt;</code></pre>'
    ),
    '[a](https://a.test/"onmouseover="alert(1))': (
        f'<p><a href="https://a.test/&quot;onmouseover=&quot;alert(1" {LINK}>a</a>)</p>'
    ),
}

RENDER = """async (texts) => {
  const { renderMarkdown } = await import('/assets/ck1/markdown-standin01.js');
  return texts.map((text) => {
    const node = document.createElement('div');
    node.append(renderMarkdown(text, { host: { log() {}, emit() {} } }));
    return node.innerHTML;
  });
}"""


def test_markdown(host: Host) -> None:
    """Each text becomes exactly these elements; nothing is ever parsed as HTML, and only harmless links are links."""
    host.boot(host.custom())
    table = RENDERED | LINKS | UNSAFE
    rendered = host.frame.evaluate(RENDER, list(table))
    wrong = {text: html for text, html in zip(table, rendered, strict=True) if html != table[text]}
    assert wrong == {}


def test_markdown_of_any_length_ends(host: Host) -> None:
    """Texts made to be slow are rendered all the same: no pattern backtracks without bounds."""
    host.boot(host.custom())
    slow = [
        "*" * 3_000,
        "[" * 3_000,
        "`" * 3_001,
        "> " * 500,
        "- " * 500,
        "|" * 3_000 + "\n" + "-|" * 1_500,
        "_a" * 2_000,
    ]
    # In the background and awaited with a limit: evaluate has none, and one of these without bounds takes years.
    host.frame.evaluate(f"(texts) => {{ ({RENDER})(texts).then((all) => {{ window.rendered = all.length; }}); }}", slow)
    host.frame.wait_for_function("window.rendered", timeout=DEADLINE_MS)
    assert host.frame.evaluate("window.rendered") == len(slow)
