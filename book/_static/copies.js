// Saves the notebook of "Do it in the notebook". A page opened from the disk may neither fetch a file nor save what a
// link leads to, but may run a script: the one beside the notebook calls this with its text.
const saveCopy = (text) => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/x-ipynb+json" }));
  link.download = saveCopy.as;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
};

document.addEventListener("click", (event) => {
  const link = event.target.closest(".do-it a");
  if (!link) return;
  event.preventDefault();
  const script = document.createElement("script");
  saveCopy.as = link.pathname.split("/").pop();
  script.src = link.href.replace(/ipynb$/, "js");
  script.onload = () => script.remove();
  document.head.append(script);
});
