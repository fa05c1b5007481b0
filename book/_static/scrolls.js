// A formula that is wider than its place scrolls, or the text around it, and the keyboard can only scroll what can have the focus.
document.addEventListener("DOMContentLoaded", () => {
  const observer = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const scrolls = getComputedStyle(target).overflowX === "auto" && target.scrollWidth > target.clientWidth;
      if (scrolls) target.tabIndex = 0;
      else target.removeAttribute("tabindex");
    }
  });
  document.querySelectorAll("div.math, div.math > mjx-container, p:has(.math)").forEach((box) => observer.observe(box));
});
