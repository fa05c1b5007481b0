// A formula that is wider than its place scrolls, and the keyboard can only scroll what can have the focus.
document.addEventListener("DOMContentLoaded", () => {
  const observer = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (target.scrollWidth > target.clientWidth) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  document.querySelectorAll("div.math, div.math > mjx-container").forEach((box) => observer.observe(box));
});
