// Runs inside of a page that docs/check.py has opened: what a reader sees there, in this theme and at this width.
async ({ width, phone, smallest, faintest }) => {
  const faults = [];
  const still = document.createElement("style");
  still.textContent = "*, *::before, *::after { transition: none !important; animation: none !important }";
  document.head.append(still);

  const shorten = (text) => { text = text.trim().replace(/\s+/g, " "); return text.length > 50 ? text.slice(0, 49) + "…" : text; };
  const visible = (e) => {
    const box = e.getBoundingClientRect();
    return box.width > 1 && box.height > 1 && e.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  };
  const named = (e) => e.tagName.toLowerCase() + (e.classList.length ? "." + [...e.classList].join(".") : "");

  // Colours: what stands behind an element, and how far two colours are apart (the contrast ratio of WCAG, 1 to 21).
  const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d", { willReadFrequently: true });
  const parsed = new Map();
  const rgba = (colour) => {
    if (!parsed.has(colour)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      parsed.set(colour, [r, g, b, a / 255]);
    }
    return parsed.get(colour);
  };
  const over = ([r, g, b, a], below) => [r, g, b].map((each, i) => a * each + (1 - a) * below[i]);
  const grounds = new Map();
  const behind = (e) => {
    if (!e) return [255, 255, 255];
    if (!grounds.has(e)) {
      const colour = rgba(getComputedStyle(e).backgroundColor);
      grounds.set(e, colour[3] === 1 ? colour.slice(0, 3) : over(colour, behind(e.parentElement)));
    }
    return grounds.get(e);
  };
  const luminance = (colour) => {
    const [r, g, b] = colour.map((each) => (each / 255 <= 0.04045 ? each / 255 / 12.92 : ((each / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const apart = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };

  // Sideways: what is wider than the page must lie in a box of its own that scrolls; drawers are fixed outside of the view.
  const held = (e) => {
    for (let box = e; box && box !== document.body; box = box.parentElement) {
      const style = getComputedStyle(box);
      if (style.position === "fixed") return true;
      if (box !== e && ["auto", "scroll"].includes(style.overflowX) && box.getBoundingClientRect().right <= width + 1) return true;
    }
    return false;
  };
  const root = document.scrollingElement;
  const wide = root.scrollWidth > width + 1;
  const sticking = [];
  const seen = (e) => {
    if (e.getBoundingClientRect().right > width + 1 && !held(e)) sticking.push(named(e));
  };

  // Letters.
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const done = new Set();
  const zoomed = phone ? visualViewport.scale : 1;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const e = node.parentElement;
    if (!node.data.trim() || done.has(e) || e.closest("script, style, noscript, template, svg") || !visible(e)) continue;
    done.add(e);
    seen(e);
    const style = getComputedStyle(e);
    const size = parseFloat(style.fontSize) * (e.currentCSSZoom ?? 1) * zoomed;
    if (phone && size < smallest) faults.push(`letters of ${size.toFixed(1)} px: “${shorten(node.data)}” in ${named(e)}`);
    const ground = behind(e);
    const ratio = apart(over(rgba(style.color), ground), ground);
    if (ratio < faintest) faults.push(`contrast of ${ratio.toFixed(1)}: “${shorten(node.data)}” in ${named(e)}`);
  }

  // Pictures: there, wide enough for their letters, and not of the colour of what is behind them.
  for (const picture of document.images) picture.loading = "eager";
  await Promise.all([...document.images].map((picture) => picture.decode().catch(() => {})));
  for (const picture of document.images) {
    const name = shorten(decodeURI(picture.getAttribute("src") ?? "").replace(/^data:([^,]*),.*/s, "data:$1").split("/").at(-1));
    if (!picture.naturalWidth) { faults.push(`picture does not load: ${name}`); continue; }
    if (!visible(picture)) continue;
    seen(picture);
    const across = picture.getBoundingClientRect().width;
    if (/\.svg$|^data:image\/svg/.test(picture.src)) {
      const drawing = new DOMParser().parseFromString(await (await fetch(picture.src)).text(), "image/svg+xml").documentElement;
      const units = drawing.viewBox?.baseVal?.width || picture.naturalWidth;
      const letters = [...drawing.querySelectorAll("text[font-size]")].map((e) => e.getAttribute("font-size"));
      const styles = [...drawing.querySelectorAll("style")].map((e) => e.textContent).join(" ");
      const styled = [...styles.matchAll(/font-size:\s*([\d.]+)px/g)].map((match) => match[1]);
      const sizes = [...letters, ...styled].map(parseFloat).sort((a, b) => a - b);
      const size = (sizes[sizes.length >> 1] * across * zoomed) / units;
      // On the phone a picture that links to itself is an overview: a click enlarges it.
      const opens = phone && picture.closest("a.whole");
      if (size < smallest * 0.7 && !opens) faults.push(`letters of ${size.toFixed(1)} px in the picture ${name}`);
    }
    const sketch = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const scale = Math.min(1, 800 / picture.naturalWidth);
    sketch.canvas.width = Math.min(800, Math.max(1, picture.naturalWidth));
    sketch.canvas.height = Math.min(600, Math.max(1, Math.ceil(picture.naturalHeight * scale)));
    sketch.fillStyle = `rgb(${behind(picture).join(" ")})`;
    sketch.fillRect(0, 0, 800, 600);
    sketch.drawImage(picture, 0, 0, picture.naturalWidth * scale, picture.naturalHeight * scale);
    const pixels = sketch.getImageData(0, 0, sketch.canvas.width, sketch.canvas.height).data;
    let [low, high] = [255, 0];
    for (let i = 0; i < pixels.length; i += 4) {
      const grey = 0.3 * pixels[i] + 0.6 * pixels[i + 1] + 0.1 * pixels[i + 2];
      low = Math.min(low, grey);
      high = Math.max(high, grey);
    }
    const ratio = apart([low, low, low], [high, high, high]);
    if (ratio < faintest) faults.push(`contrast of ${ratio.toFixed(1)}: the picture ${name} on what is behind it`);
  }
  for (const drawing of document.querySelectorAll("svg")) {
    if (drawing.parentElement.closest("svg") || !visible(drawing)) continue;
    seen(drawing);
    const ink = [...drawing.querySelectorAll("path, use, text, rect")].find((e) => getComputedStyle(e).fill !== "none");
    if (!ink || !drawing.matches(".math")) continue;
    const ground = behind(drawing.parentElement);
    const ratio = apart(over(rgba(getComputedStyle(ink).fill), ground), ground);
    if (ratio < faintest) faults.push(`contrast of ${ratio.toFixed(1)}: formula ${shorten(drawing.getAttribute("aria-label") ?? "")}`);
  }
  for (const table of document.querySelectorAll("table, pre")) if (visible(table)) seen(table);
  if (wide) faults.push(`scrolls sideways, ${root.scrollWidth} px wide${sticking.length ? ": " + sticking[0] : ""}`);
  else if (sticking.length) faults.push(`cut off at the right: ${[...new Set(sticking)].slice(0, 3).join(", ")}`);
  if (matchMedia("(prefers-color-scheme: dark)").matches && luminance(behind(document.body)) > 0.2) faults.push("no dark theme");

  still.remove();
  const links = [...document.querySelectorAll("a[href], area[href]")].filter((e) => typeof e.href === "string");
  return {
    faults,
    title: document.title.trim(),
    ids: [...document.querySelectorAll("[id], a[name]")].flatMap((e) => [e.id, e.getAttribute("name")]).filter(Boolean),
    links: links.map((e) => ({ to: e.href, visible: visible(e) })),
  };
};
