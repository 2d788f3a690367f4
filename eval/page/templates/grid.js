"use strict";
(() => {
{% include "theme.js" %}

{% include "tables.js" %}

  document.addEventListener("DOMContentLoaded", () => {
    themeSwitch();
    document.querySelectorAll("table.sortable").forEach(sortable);
    printWhole();
  });
})();
