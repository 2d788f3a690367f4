  const root = document.documentElement;
  const themes = ["auto", "light", "dark"];
  let theme = "auto";
  try { theme = themes.includes(localStorage.theme) ? localStorage.theme : "auto"; } catch { /* storage is off */ }
  const show = () => { if (theme === "auto") delete root.dataset.theme; else root.dataset.theme = theme; };
  show();

  const make = (tag, className, text) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };

  function themeSwitch() {
    const button = document.getElementById("theme");
    const name = () => { button.textContent = "Colours: " + theme; };
    button.hidden = false;
    button.addEventListener("click", () => {
      theme = themes[(themes.indexOf(theme) + 1) % themes.length];
      try { localStorage.theme = theme; } catch { /* storage is off */ }
      show();
      name();
    });
    name();
  }
