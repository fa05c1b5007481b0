// Brings to sight what the address leads to: out of a closed <details>, for browsers that leave it closed, and from behind
// paragraphs that mathematics.css leaves for later, which turn out to be higher than was thought when the browser jumped.
const showTarget = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const closed = target?.closest("details:not([open])");
  const { classList } = document.documentElement;
  if (!target || (!closed && classList.contains("laid-out"))) return;
  classList.add("laid-out");
  if (closed) closed.open = true;
  showTarget();
  target.scrollIntoView();
};
addEventListener("hashchange", showTarget);
addEventListener("load", showTarget);
