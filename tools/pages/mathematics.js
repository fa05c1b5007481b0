// MathJax for pages/mathematics.py: node mathematics.js FOLDER-OF-MATHJAX
//
// Reads a line of JSON for each formula, {"tex": …, "display": …}, and answers with a line, {"html": …} or {"error": …}.
// Asked for {"style": true}, it answers with the rules for all that it has set so far.
const readline = require("readline");
const [mathjax] = process.argv.slice(2);

const refuse = (_, error) => { throw new Error(error.message); };
const config = {
  loader: {
    paths: {mathjax},
    load: ["adaptors/liteDOM", "input/tex-full", "output/chtml", "a11y/assistive-mml"],
    versionWarnings: false,
  },
  // A command that it does not know would be shown in red, and one that it cannot read as it stands.
  tex: {packages: {"[-]": ["noundefined", "noerrors"]}, formatError: refuse},
  chtml: {fontURL: "fonts"},
  startup: {typeset: false},
};

require(`${mathjax}/node-main.js`).init(config).then(MathJax => {
  const adaptor = MathJax.startup.adaptor;
  const answer = ({tex, display, style}) => {
    if (style) return {style: adaptor.textContent(MathJax.chtmlStylesheet())};
    try {
      return {html: adaptor.outerHTML(MathJax.tex2chtml(tex, {display}))};
    } catch (error) {
      return {error: error.message};
    }
  };
  readline.createInterface({input: process.stdin})
    .on("line", line => process.stdout.write(JSON.stringify(answer(JSON.parse(line))) + "\n"));
});
