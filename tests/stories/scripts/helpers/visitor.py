"""A browser without JavaScript, for stories that use a page's own forms."""

import html
import http.cookiejar
import re
import time
import urllib.parse
import urllib.request


class Visitor:
    """Signed in at a server; `page` is the text of the page it looks at, `address` where it is."""

    def __init__(self, server, username, password):
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        self.get(f"{server}/sign-in")
        self.post(self.address, username=username, password=password)

    def get(self, address):
        """Look at a page; its text."""
        return self._send(address)

    def post(self, address, **fields):
        """Send a form of the page one looks at; the page that comes of it."""
        fields["csrfmiddlewaretoken"] = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self._source)[1]
        body = urllib.parse.urlencode(fields, doseq=True).encode()
        return self._send(urllib.request.Request(address, body, {"Referer": address}))

    def until(self, address, found, seconds=240):
        """Look again until `found(page)` is true; that value."""
        deadline = time.monotonic() + seconds
        while not (value := found(self.get(address))):
            assert time.monotonic() < deadline, re.sub(r"\s*<[^>]+>\s*", " ", self.page)[-4000:]
            time.sleep(0.5)
        return value

    def _send(self, request):
        with self._opener.open(request, timeout=60) as answer:
            self._source, self.address = answer.read().decode(), answer.url
        self.page = html.unescape(self._source)
        return self.page


def rows(page, label):
    """{first cell: [(text, exact value or None) of each other cell]} of the table with that label."""
    region = re.search(rf'aria-label="{re.escape(label)}".*?</table>', page, re.S)[0].split("<tbody>")[1]
    found = {}
    for row in re.findall(r"<tr.*?</tr>", region, re.S):
        cells = [
            (" ".join(re.sub(r"<[^>]+>", " ", text).split()), re.search(r'title="([-+.0-9e]+)"', attributes))
            for attributes, text in re.findall(r"<t[dh]([^>]*)>(.*?)</t[dh]>", row, re.S)
        ]
        found[cells[0][0]] = [(text, float(exact[1]) if exact else None) for text, exact in cells[1:]]
    return found
