// Opens what the address leads into, for browsers that leave a closed <details> closed.
const openTarget = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  const closed = target?.closest("details:not([open])");
  if (!closed) return;
  closed.open = true;
  openTarget();
  target.scrollIntoView();
};
addEventListener("hashchange", openTarget);
addEventListener("DOMContentLoaded", openTarget);
