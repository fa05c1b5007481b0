// Moves the sliders of the built page: one frame is shown, and the control says its value aloud.
document.addEventListener("input", (event) => {
  const slider = event.target.closest(".book-slider");
  if (!slider) return;
  const frames = slider.querySelectorAll(".book-frame");
  const chosen = frames[event.target.value];
  frames.forEach((frame) => { frame.hidden = frame !== chosen; });
  event.target.setAttribute("aria-valuetext", chosen.dataset.value);
  slider.querySelector("output").value = chosen.dataset.value;
});
