// A link to an equation, a term, a reference, a theorem or an exercise shows it: on hover, on focus, and on a first tap.
// What shows stays while the pointer is on it, goes with Escape, and holds nothing to click: the link itself leads on.
(() => {
  const LINKS = "article a.internal[href*='#']", TARGETS = "div.math, div.citation, div.proof, div.exercise, dt";
  const root = new URL(document.documentElement.dataset.content_root || "./", location.href);
  const card = document.createElement("div");
  card.id = "preview";
  card.setAttribute("role", "tooltip");
  let shown = null, wanted = null, timer = 0, touched = false, elsewhere = null;

  window.bookPreviews = (data) => {
    elsewhere = data;
    const link = wanted;
    if (link) show(link);
    if (link && !shown && touched) location.href = link.href;  // the tap that asked for it was held back
  };

  function hide() {
    clearTimeout(timer);
    card.remove();
    shown?.removeAttribute("aria-describedby");
    shown = wanted = null;
  }

  // What to show: clones of elements of this page, or what the script with all other pages' targets has; undefined while
  // that is on its way.
  function lookUp(link) {
    const url = new URL(link.href);
    if (url.pathname === location.pathname) {
      let target = document.getElementById(decodeURIComponent(url.hash.slice(1)));
      if (!target?.matches(TARGETS)) target = target?.closest("dt");
      if (!target || target.contains(link)) return null;
      const parts = target.matches("dt") ? [target, target.nextElementSibling] : [target];
      const copy = document.createElement("div");
      copy.append(...parts.map((part) => part.cloneNode(true)));
      copy.querySelectorAll(".headerlink, .verified").forEach((node) => node.remove());
      copy.querySelectorAll("[id]").forEach((node) => node.removeAttribute("id"));
      copy.querySelectorAll("[tabindex]").forEach((node) => node.removeAttribute("tabindex"));
      copy.querySelectorAll("a").forEach((node) => node.replaceWith(...node.childNodes));
      return copy.innerHTML;
    }
    if (elsewhere) return elsewhere[decodeURIComponent(url.href.slice(root.href.length))] ?? null;
    if (!document.querySelector("script[data-previews]")) {
      const script = document.createElement("script");
      script.src = new URL("_static/previews-data.js", root);
      script.dataset.previews = "";
      document.head.append(script);
    }
    return undefined;
  }

  function show(link) {
    if (shown === link) return;
    hide();
    const html = lookUp(link);
    if (html === undefined) wanted = link;
    if (!html) return;
    card.innerHTML = html.startsWith("<dt") ? `<dl>${html}</dl>` : html;
    link.closest("article").append(card);
    link.removeAttribute("title");  // it says the same
    link.setAttribute("aria-describedby", card.id);
    shown = link;
    // Below the link where there is room, above it otherwise; never outside of the window.
    const at = link.getClientRects()[0], box = card.getBoundingClientRect();
    const around = card.offsetParent.getBoundingClientRect();
    const left = Math.max(8, Math.min(at.left, document.documentElement.clientWidth - box.width - 8));
    const below = at.bottom + box.height + 4 < innerHeight || at.top < box.height + 60;
    card.style.left = `${left - around.left}px`;
    card.style.top = `${(below ? at.bottom : at.top - box.height) - around.top}px`;
  }

  const linkOf = (event) => event.target.closest?.(LINKS);
  document.addEventListener("pointerover", (event) => {
    if (event.pointerType === "touch") return;
    const link = linkOf(event);
    clearTimeout(timer);
    if (link) timer = setTimeout(show, 150, link);
    else if (shown && !card.contains(event.target) && document.activeElement !== shown) timer = setTimeout(hide, 300);
  });
  document.addEventListener("pointerdown", (event) => {
    touched = event.pointerType === "touch";
    if (shown && !card.contains(event.target) && linkOf(event) !== shown) hide();
  });
  document.addEventListener("click", (event) => {
    const link = linkOf(event);
    if (link && touched && shown !== link) show(link); else return hide();
    if (shown || wanted) event.preventDefault();
  });
  document.addEventListener("focusin", (event) => {
    if (!touched && linkOf(event)?.matches(":focus-visible")) show(linkOf(event));
  });
  document.addEventListener("focusout", (event) => { if (event.target === shown) hide(); });
  document.addEventListener("keydown", (event) => {
    touched = false;
    if (event.key === "Escape") hide();
  });
})();
