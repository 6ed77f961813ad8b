// Shows one picture, to be zoomed and moved by wheel, fingers, keys or buttons; outlines lie over it as SVG. Those with
// a label can be chosen: by click, or by Tab and Enter.
// `stage.zoom` is what the visitor looks at: the middle in pixels of the picture, and the magnification (null: fit).
// It is kept on the element, because this function is called again at every rerun of the page.
const LABEL = 18;  // height of a number, in pixels of the screen

export default function ({ data, parentElement, setTriggerValue }) {
  const size = new DataView(data.buffer, data.byteOffset).getUint32(0);
  const head = JSON.parse(new TextDecoder().decode(data.subarray(4, 4 + size)));
  const [stage, sheet, img, svg, tag, scale] = [".stage", ".sheet", "img", "svg", ".tag", ".scale"]
    .map(name => parentElement.querySelector(name));
  const { width, height, shapes } = head;
  const fit = () => Math.min(stage.clientWidth / width, stage.clientHeight / height) || 1;
  const whole = () => ({ x: width / 2, y: height / 2, k: null });
  const pixels = () => ({ ...whole(), k: Math.max(1, Math.floor(fit())) });

  stage.classList.toggle("native", head.native);
  if (stage.picture !== head.picture) {
    stage.picture = head.picture;
    stage.zoom = head.native ? pixels() : whole();
  }
  const choices = shapes.some(shape => shape.label);
  stage.setAttribute("role", choices ? "group" : "img");  // what is inside an img cannot be reached
  stage.setAttribute("aria-label", head.alt + " Plus and minus zoom, 0 fits, arrow keys move when zoomed."
    + (choices ? " Tab goes to the numbered places, Enter chooses one." : ""));
  tag.textContent = head.tag;
  Object.assign(sheet.style, { width: width + "px", height: height + "px" });
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const element = (name, attributes, ...children) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const line = (shape, colour, thick) => element("path", { d: shape.path, transform: `scale(${shape.scale})`,
    style: `stroke:${colour};stroke-width:calc(${thick}px / var(--k))` });
  // Dark below and coloured above: seen on bright tissue and on black film. The chosen one is the thicker.
  const lines = shape => [line(shape, "rgba(0,0,0,.6)", shape.chosen ? 5 : 2.5),
    line(shape, shape.colour, shape.chosen ? 2.5 : 1.25)];
  const choice = (shape, place) => {
    const wide = 10 + 8 * shape.label.length;
    const label = element("g", {}, element("rect", { width: wide, height: LABEL, rx: 3, fill: shape.colour }),
      element("text", { x: wide / 2, y: 13.5 }, shape.label));
    labels.push({ shape, label, wide });
    const whole = element("g", { class: shape.chosen ? "choice chosen" : "choice", tabindex: 0, role: "button",
      "aria-label": shape.words, "aria-pressed": shape.chosen }, ...lines(shape), label);
    whole.choose = () => setTriggerValue("chosen", place);
    whole.onkeydown = event => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      event.stopPropagation();
      whole.choose();
    };
    whole.onfocus = () => {
      stage.scrollTo(0, 0);  // browsers scroll even what hides its overflow
      if (stage.zoom.k !== null && whole.matches(":focus-visible")) look(shape, stage.zoom.k);
    };
    return whole;
  };
  const labels = [];
  const focused = [...svg.children].indexOf(svg.getRootNode().activeElement);
  svg.replaceChildren(...shapes.map((shape, place) =>
    shape.label ? choice(shape, place) : element("g", {}, ...lines(shape))));
  labels.reverse();  // the chosen one comes last, to lie on top, and has the first choice here
  if (stage.version !== head.version) {
    stage.version = head.version;
    const blob = URL.createObjectURL(new Blob([data.subarray(4 + size)], { type: head.mime }));
    img.onload = () => URL.revokeObjectURL(blob);
    img.src = blob;
  }

  const layLabels = k => {  // in pixels of the screen; each beside its box, where none lies yet
    const taken = [];
    for (const { shape, label, wide } of labels) {
      const [left, top, right, bottom] = shape.box.map(value => value * k);
      const free = ([x, y]) => y >= 0
        && !taken.some(one => x < one.x + one.wide && one.x < x + wide && Math.abs(y - one.y) < LABEL);
      const spots = [[left, top - LABEL - 2], [right - wide, top - LABEL - 2], [left, bottom + 2],
        [right - wide, bottom + 2], [right + 2, top], [left - wide - 2, top]];
      const [x, y] = spots.find(free) ?? spots[0];
      taken.push({ x, y, wide });
      label.style.transform = `translate(${x / k}px,${y / k}px) scale(${1 / k})`;
    }
  };
  const draw = () => {
    const z = stage.zoom, k = z.k ?? fit();
    z.x = Math.min(Math.max(z.x, 0), width);
    z.y = Math.min(Math.max(z.y, 0), height);
    sheet.style.transform =
      `translate(${stage.clientWidth / 2 - z.x * k}px, ${stage.clientHeight / 2 - z.y * k}px) scale(${k})`;
    sheet.style.setProperty("--k", k);  // lines keep their width on the screen
    layLabels(k);
    img.style.imageRendering = k >= 2 ? "pixelated" : "auto";
    stage.style.touchAction = z.k === null ? "pan-y" : "none";  // an unzoomed picture lets a phone's page scroll
    scale.textContent = k >= 1 ? `${+k.toFixed(1)} : 1` : `${Math.round(k * 100)}%`;
  };
  const zoomBy = (times, px, py) => {  // px, py: the point of the stage that stays where it is
    const z = stage.zoom, old = z.k ?? fit(), k = Math.min(old * times, 16);
    if (k <= fit()) { stage.zoom = whole(); return draw(); }
    const dx = (px ?? stage.clientWidth / 2) - stage.clientWidth / 2;
    const dy = (py ?? stage.clientHeight / 2) - stage.clientHeight / 2;
    stage.zoom = { x: z.x + dx / old - dx / k, y: z.y + dy / old - dy / k, k };
    draw();
  };
  const move = (dx, dy) => {
    const z = stage.zoom, k = z.k ?? fit();
    z.x -= dx / k; z.y -= dy / k;
    draw();
  };
  const look = (shape, k) => {
    const [left, top, right, bottom] = shape.box.map((value, place) => value * shape.scale[place % 2]);
    k ??= Math.min(0.6 * Math.min(stage.clientWidth / (right - left), stage.clientHeight / (bottom - top)), 8);
    stage.zoom = { x: (left + right) / 2, y: (top + bottom) / 2, k };
    draw();
  };
  const chosen = shapes.find(one => one.chosen) ?? shapes[0];
  const finding = () => look(chosen);
  const commands = {
    "+": () => zoomBy(1.4), "=": () => zoomBy(1.4), "-": () => zoomBy(1 / 1.4),
    "0": () => { stage.zoom = whole(); draw(); }, "1": () => { stage.zoom = { ...stage.zoom, k: 1 }; draw(); },
    ...(shapes.length && { f: finding }),
  };
  const arrows = { ArrowLeft: [60, 0], ArrowRight: [-60, 0], ArrowUp: [0, 60], ArrowDown: [0, -60] };

  stage.onkeydown = event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const command = commands[event.key.toLowerCase()];
    const step = stage.zoom.k !== null && arrows[event.key];
    if (!command && !step) return;
    event.preventDefault();
    event.stopPropagation();
    command ? command() : move(...step);
  };
  for (const button of parentElement.querySelectorAll(".bar button")) {
    button.hidden = !commands[button.dataset.do];
    button.onclick = () => commands[button.dataset.do]();
  }
  stage.onwheel = event => {
    event.preventDefault();
    const box = stage.getBoundingClientRect();
    zoomBy(Math.exp(-event.deltaY / 400), event.clientX - box.left, event.clientY - box.top);
  };
  const fingers = (stage.fingers ??= new Map());
  stage.onpointerdown = event => {
    fingers.set(event.pointerId, event);
    stage.aimed = { choice: event.target.closest(".choice"), x: event.clientX, y: event.clientY };
    if (stage.zoom.k !== null || event.pointerType === "mouse") stage.setPointerCapture(event.pointerId);
  };
  stage.onpointermove = event => {
    const before = fingers.get(event.pointerId);
    if (!before) return;
    const other = [...fingers.values()].find(one => one.pointerId !== event.pointerId);
    if (other) {
      const far = one => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
      const box = stage.getBoundingClientRect();
      zoomBy(far(event) / far(before), (event.clientX + other.clientX) / 2 - box.left,
        (event.clientY + other.clientY) / 2 - box.top);
    } else if (stage.zoom.k !== null) move(event.clientX - before.clientX, event.clientY - before.clientY);
    fingers.set(event.pointerId, event);
  };
  stage.onpointercancel = event => fingers.delete(event.pointerId);
  stage.onpointerup = event => {  // not onclick: the captured pointer belongs to the stage
    const { choice, x, y } = stage.aimed ?? {};
    if (choice && fingers.size === 1 && Math.hypot(event.clientX - x, event.clientY - y) < 6) choice.choose();
    fingers.delete(event.pointerId);
  };
  stage.ondblclick = () => (stage.zoom.k === null && shapes.length ? finding() : commands["0"]());

  // A place that was chosen elsewhere on the page comes into a zoomed frame.
  if (choices && stage.chosen !== chosen.label && stage.chosen && stage.zoom.k !== null) look(chosen, stage.zoom.k);
  stage.chosen = chosen?.label;
  svg.children[focused]?.focus({ preventScroll: true });
  stage.watch?.disconnect();  // that of the last call still knows the size of another picture
  stage.watch = new ResizeObserver(draw);
  stage.watch.observe(stage);
  draw();
  return () => stage.watch.disconnect();
}
