// Dark, light, or as the system is. Read before anything is drawn (look.js stands in the page's head), so nothing flashes.
// No module, so that it runs at once; the shell changes it through `document.documentElement.dataset.look`.

(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const look = root.dataset.look || "system";
    root.dataset.theme = look === "system" ? (dark.matches ? "dark" : "light") : look;
  };
  root.dataset.look = localStorage.getItem("look") || "system";
  apply();
  dark.addEventListener("change", apply);
  new MutationObserver(apply).observe(root, { attributeFilter: ["data-look"] });
})();
