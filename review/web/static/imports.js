// While an import runs, what is said of it is read anew every two seconds.
"use strict";

async function look() {
  const answer = await fetch("/imports", { redirect: "error" }).catch(() => null);
  if (!answer?.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const told = page.getElementById("told");
  if (told) document.getElementById("told")?.replaceWith(told);
  if (told?.dataset.busy) setTimeout(look, 2000);
}

if (document.getElementById("told")?.dataset.busy) setTimeout(look, 2000);
