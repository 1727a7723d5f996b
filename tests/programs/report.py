"""report.py REPORT [RESULTS]: whether a report is one whole page, and its summary what `evaluate` wrote to RESULTS."""
import json
import sys
import xml.etree.ElementTree as xml

text = open(sys.argv[1]).read()
page = xml.fromstring(text)  # fails unless every element is closed and every attribute quoted
assert text.startswith("<!DOCTYPE html>") and page.get("lang") == "en"
body = text[text.index("<body>"):text.index("<script>")]
assert "http:" not in text and "https:" not in text and "url(" not in text, "it links to something"
assert all(e.get("src", "data:").startswith("data:") and "href" not in e.attrib for e in page.iter()), "it needs a file"
style = page.find("head/style").text
for needed in ("prefers-color-scheme: dark", "@media print", "color-scheme: light dark"):
    assert needed in style, "no " + needed
assert page.find("head/meta[@name='viewport']") is not None, "it does not fit a phone"

assert len(list(page.iter("h1"))) == 1 and len(list(page.iter("main"))) == 1
for section in page.iter("section"):
    assert section[0].tag == "h2", "a section without a heading"
for figure in page.iter("figure"):
    picture = figure.find("svg") if figure.find("img") is None else figure.find("img")
    assert figure.find("h3").text and (picture.get("aria-label") or picture.get("alt")), "a picture without words"
for chart in page.iter("svg"):
    assert any("data-tip" in e.attrib for e in chart.iter()), "a chart that says no values"
for table in page.iter("table"):
    header = [e.text for e in table.findall("thead/tr/th")]
    assert table.find("caption").text and table.findall("tbody/tr"), "an empty table"
    for row in table.findall("tbody/tr"):
        assert [e.tag for e in row] == ["th"] + ["td"] * (len(header) - 1), "a row of another length than the header's"

tiles = {e.find("dt").text: (e.find("dd/strong").text, e.find("dd/strong").tail)
         for e in page.iter("div") if e.find("dt") is not None}
assert tiles, "no summary"
if len(sys.argv) > 2:
    results = json.load(open(sys.argv[2]))
    layers = results["layers"]
    k = "20" if "20" in layers[0]["knn"] else min(layers[0]["knn"], key=int)
    of = {
        "k-NN, k = " + k: [100 * layer["knn"][k]["top1"] for layer in layers],
        "logistic regression": [100 * layer["logistic"]["top1"] for layer in layers],
        "linear, SGD": [100 * layer["sgd"]["top1"] for layer in layers],
    }
    for name, shares in of.items():
        value, note = tiles["Best layer by " + name]
        assert value == "%.2f %%" % max(shares), (name, value, shares)
        assert " after layer %d" % layers[shares.index(max(shares))]["layer"] in note, (name, note)
    logistic = of["logistic regression"]
    half = sum(2 * layer["layer"] <= layers[-1]["layer"] for layer in layers)
    value, note = tiles["Ending after half of the layers"]
    assert value == "layer %d" % layers[half - 1]["layer"]
    assert " %+.2f points against the last" % (logistic[half - 1] - logistic[-1]) in note, note
    assert "%.2f ms for an image" % layers[half - 1]["milliseconds"] in note, note
    if "knn_of_run" in results:
        run = results["knn_of_run"]
        gain = 100 * (run["trained"][-1] - run["untrained"][-1])
        assert tiles["Over the untrained network"][0] == "%+.2f points" % gain
    for layer in layers:
        for name in ("milliseconds", "images_per_second"):
            spread = layer[name + "_quartiles"]
            assert 0 < spread["lower"] <= layer[name] <= spread["upper"] and 6 <= spread["runs"] <= 30
            shown = ("%.2f (%.2f to %.2f)" if name == "milliseconds" else "%.0f (%.0f to %.0f)") % (
                layer[name], spread["lower"], spread["upper"])
            assert any(e.text == shown for e in page.iter("td")), shown + " is not in the table"
