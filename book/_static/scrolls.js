// A formula that is wider than its place scrolls, or the text around it, and the keyboard can only scroll what can have the focus.
document.addEventListener("DOMContentLoaded", () => {
  const boxes = [...document.querySelectorAll("div.math, div.math > mjx-container, p:has(.math)")];
  const measure = (box) => {
    const scrolls = getComputedStyle(box).overflowX === "auto" && box.scrollWidth > box.clientWidth;
    if (scrolls) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  };
  const observer = new ResizeObserver((entries) => entries.forEach(({ target }) => measure(target)));
  boxes.forEach((box) => observer.observe(box));
  // What is far from the window has no size until it comes near: it is measured when there is nothing else to do.
  const idle = window.requestIdleCallback ?? ((task) => setTimeout(() => task({ timeRemaining: () => 10 }), 100));
  let width, waiting;
  const rest = (deadline) => {
    if (width !== innerWidth) [width, waiting] = [innerWidth, [...boxes]];
    while (waiting.length && deadline.timeRemaining() > 2) measure(waiting.shift());
    if (waiting.length) idle(rest);
    else document.documentElement.dataset.measured = width;
  };
  ["load", "resize"].forEach((event) => addEventListener(event, () => idle(rest)));
});
