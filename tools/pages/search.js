// The search: sections that hold every word asked for, the best first, each with the place in it where they are.
// bookSections, from search-index.js: [address, heading, page, text, whether its page is a table of the whole book] of
// each section, and of each term of the glossary.
(() => {
  const form = document.querySelector(".bd-search-container form"), input = form.querySelector("input");
  const status = document.createElement("p"), list = document.createElement("ol");
  status.className = "search-status";
  status.setAttribute("role", "status");
  list.id = "search-results";
  document.getElementById("search-results").replaceWith(status, list);

  // Accents and case do not count. Letters stay in their places, so that what is found can be shown.
  const plain = (text) => [...text.normalize("NFC")].map((c) => c.normalize("NFD")[0].toLowerCase()).join("");
  const LETTER = "[\\p{L}\\p{N}_]";
  const sections = bookSections.map(([address, heading, page, text, table]) =>
    ({ address, heading, page, table, text: text.normalize("NFC"), plainHeading: plain(heading), plainText: plain(text) }));

  // A word is found in all its forms, near enough: what it begins with, less its ending. And as one word, as two or with
  // a hyphen: of a space, both sides are long enough that they are no two words that happen to meet.
  function patterns(query) {
    const words = plain(query).match(new RegExp(`${LETTER}+`, "gu")) || [];
    return words.map((word, i) => {
      const stem = word.replace(/(?<=.{4})(ices|[ei]x|[ae]n(ces?|ts?)|ies|ing|ed|es|e|s|y)$/u, "");
      const halves = [...stem].map((_, at) => [stem.slice(0, at), stem.slice(at)]);
      const apart = halves.filter(([a, b]) => a.length > 1 && b.length > 2)
        .map(([a, b]) => a + (a.length > 2 && b.length > 3 ? "[- ]" : "-") + b);
      return new RegExp(`(?<!${LETTER})(?:${words[i - 1] || ""})?(?:${[stem, ...apart].join("|")})${LETTER}*`, "gu");
    });
  }

  const places = (pattern, text) => [...text.matchAll(pattern)].map((m) => [m.index, m.index + m[0].length]);

  function score(section, wanted) {
    let sum = 0;
    for (const pattern of wanted) {
      const inHeading = places(pattern, section.plainHeading).length, inText = places(pattern, section.plainText).length;
      if (!inHeading && !inText) return 0;
      sum += (inHeading ? 10 / Math.sqrt(section.heading.split(" ").length) : 0) + Math.log2(1 + inText);
    }
    return sum;
  }

  // Some 200 letters of the section, around the place where most of the words stand together.
  function snippet({ text, plainText }, wanted) {
    const found = wanted.flatMap((pattern, word) => places(pattern, plainText).map(([from, to]) => ({ from, to, word })));
    found.sort((a, b) => a.from - b.from);
    const near = (first) => new Set(found.filter((m) => m.from >= first.from && m.to < first.from + 160).map((m) => m.word)).size;
    const best = found.reduce((best, match) => (best && near(best) >= near(match) ? best : match), null);
    const from = best ? text.lastIndexOf(" ", Math.max(0, best.from - 40)) + 1 : 0;
    const end = text.indexOf(" ", from + 200), to = end < 0 ? text.length : end;
    const p = document.createElement("p");
    let at = from;
    p.append(from ? "… " : "");
    for (const match of found.filter((m) => m.from >= from && m.to <= to && m.from >= at)) {
      if (match.from < at) continue;
      const mark = document.createElement("mark");
      mark.textContent = text.slice(match.from, match.to);
      p.append(text.slice(at, match.from), mark);
      at = match.to;
    }
    p.append(text.slice(at, to), to < text.length ? " …" : "");
    return p;
  }

  function item(section, wanted) {
    const li = document.createElement("li"), link = document.createElement("a"), page = document.createElement("span");
    link.href = section.address;
    link.textContent = section.heading;
    page.textContent = section.page === section.heading ? "" : ` · ${section.page}`;
    li.append(link, page, snippet(section, wanted));
    return li;
  }

  function search() {
    const wanted = patterns(input.value);
    const ranked = sections.map((section) => [wanted.length ? score(section, wanted) : 0, section]);
    const found = ranked.filter(([points]) => points).map(([points, section]) => ({ points, ...section }));
    found.sort((a, b) => a.table - b.table || b.points - a.points);  // tables, which name everything, explain nothing
    status.textContent = !wanted.length ? "" : !found.length ? "Nothing found. Fewer words find more."
      : `${found.length} ${found.length > 1 ? "places" : "place"} found.`;
    list.replaceChildren(...found.slice(0, 50).map((section) => item(section, wanted)));
  }

  input.value = new URLSearchParams(location.search).get("q") || "";
  input.addEventListener("input", search);
  search();
})();
