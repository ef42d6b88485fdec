"""Runs with names that try to become markup, their page, and what a browser makes of it."""
import html.parser
import pathlib
import re
import subprocess
import sys

program, browser = sys.argv[1:]
EVIL = "</script><img src=x onerror=alert(1)>"

text = "".join("a hat on the cat\n" if i % 3 == 0 else "the cat sat on a mat.\n" for i in range(100))
pathlib.Path("t.txt").write_text(text)
for name, width in [("one", 16), ("two", 8), ("a run whose name is longer than a label has room for", 4)]:
    pathlib.Path("tiny.yaml").write_text(
        f"schema: 1\nname: \"{EVIL}\\\"'&\\u202E\"\nmodel: [{{embed: {{width: {width}}}}}, {{logits: {{tie: embed}}}}]\n"
        "data: {text: {path: t.txt}}\ntrain: {steps: 120, batch: 2, context: 8}\neval: {every: 20}\ngenerate: {tokens: 20}\n")
    subprocess.run([program, "train", "tiny.yaml", "--run-dir", name], check=True, stderr=subprocess.DEVNULL)
    last = name
with open("one/samples.txt", "a") as samples:
    samples.write("step 121\n  <svg onload=alert(3)> \x1b[2J\n")
subprocess.run([program, "report", "one"], check=True, stdout=subprocess.DEVNULL)
subprocess.run([program, "report", "one", "two", last, "--out", "three.html"], check=True, stdout=subprocess.DEVNULL)


class Reader(html.parser.HTMLParser):
    """Every tag and attribute; what stands in text is not among them."""

    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.text = [], set(), ""

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data):
        self.text += data


def run(page, *words):
    return subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir=profile", *words,
                           pathlib.Path(page).resolve().as_uri()], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=300).stdout.decode()


# What a person would see: texts of a plot that cover each other or leave it, and a page wider than its window.
MEASURE = """
<script>
const faults = [];
for (const svg of document.querySelectorAll('svg')) {
  const room = svg.getBoundingClientRect(), boxes = [];
  for (const text of svg.querySelectorAll('text')) {
    const b = text.getBoundingClientRect();
    if (b.left < room.left - 1 || b.right > room.right + 1 || b.top < room.top - 1 || b.bottom > room.bottom + 1)
      faults.push('leaves the plot: ' + text.textContent);
    for (const [name, o] of boxes)
      if (b.left < o.right - 1 && o.left < b.right - 1 && b.top < o.bottom - 2 && o.top < b.bottom - 2)
        faults.push(name + ' covers ' + text.textContent);
    boxes.push([text.textContent, b]);
  }
}
if (document.documentElement.scrollWidth > window.innerWidth) faults.push('wider than the window');
if (!document.querySelectorAll('svg').length) faults.push('no plot');
document.title = 'faults: ' + faults.length + ' ' + faults.join('; ');
</script>
"""


def measured(page, width):
    """The page without its policy, with the script above: the policy itself would not let it run."""
    source = pathlib.Path(page).read_text()
    assert source.count("http-equiv='Content-Security-Policy'") == 1
    open_ = re.sub(r"<meta http-equiv='Content-Security-Policy'[^\n]*\n", "", source)
    pathlib.Path("measured.html").write_text(open_.replace("</body>", MEASURE + "</body>"))
    dom = run("measured.html", f"--window-size={width},2000", "--dump-dom")
    return re.search("<title>(faults: .*?)</title>", dom, re.S).group(1)


for page in ["one/report.html", "three.html"]:
    source = pathlib.Path(page).read_text()
    reader = Reader()
    reader.feed(run(page, "--dump-dom"))
    assert not {"script", "img", "iframe", "object", "link", "a"} & set(reader.tags), set(reader.tags)
    assert not [a for a in reader.attributes if a.startswith("on") or a in ("src", "href")], reader.attributes
    assert reader.tags.count("svg") == reader.tags.count("figure") >= 5
    assert EVIL in reader.text and "\u202e" not in reader.text and "\x1b" not in reader.text
    # The browser itself: with a script put in, the policy stops it.
    pathlib.Path("stopped.html").write_text(source.replace("</body>", "<script>document.title = 'it ran'</script></body>"))
    assert "<title>it ran" not in run("stopped.html", "--dump-dom"), "the policy lets scripts run"
    for width in [1280, 700]:
        faults = measured(page, width)
        assert faults.startswith("faults: 0 "), f"{page} at {width}: {faults}"
    run(page, "--print-to-pdf=page.pdf", "--no-pdf-header-footer")
    assert pathlib.Path("page.pdf").stat().st_size > 20_000
    print(f"{page}: {reader.tags.count('svg')} plots, no script, no label covered")

# The measure itself: labels on top of each other are seen.
spoilt = pathlib.Path("one/report.html").read_text()
spoilt = re.sub(r"(<text class='tick' x=')[\d.]+(' y=')[\d.]+", r"\g<1>100\g<2>100", spoilt)
pathlib.Path("spoilt.html").write_text(spoilt)
assert "covers" in measured("spoilt.html", 1280), "the measure sees nothing"
