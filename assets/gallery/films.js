// Films: shown as their last picture until somebody wants to see them move.
"use strict";

const still = matchMedia("(prefers-reduced-motion: reduce)");

for (const film of document.querySelectorAll(".film")) {
  const picture = film.querySelector("img");
  const button = film.querySelector("button");
  const last = picture.getAttribute("src");
  const labels = { play: button.textContent, stop: button.dataset.stop };

  const show = (moving) => {
    picture.src = moving ? film.dataset.film : last;
    film.classList.toggle("moving", moving);
    button.textContent = moving ? labels.stop : labels.play;
  };

  button.hidden = false;
  button.addEventListener("click", () => show(!film.classList.contains("moving")));
  still.addEventListener("change", () => still.matches && show(false));
  if ("auto" in film.dataset && !still.matches) show(true);
}
