// The first page: upload a file, watch its steps, play the result. It talks to /v1 of the server that it came from.

const $ = (selector, from = document) => from.querySelector(selector);
const cards = new Map(); // video id -> { element, video }
let nextCursor = null;

// ---- words for people -------------------------------------------------------------------------------------------

const STATUS = {
  waiting_upload: "waiting for the file",
  queued: "queued",
  processing: "processing",
  ready: "ready",
  failed: "failed",
  canceled: "canceled",
};

const PROBLEMS = {
  "upload.empty": "The file is empty.",
  "upload.too_large": "The file is larger than this server accepts.",
  "storage.no_space": "The server has no room left for this file.",
  "media.unrecognized": "This is not a video that can be read.",
  "media.not_video": "This is a still image, not a video.",
  "media.no_video_stream": "The file has no picture, only sound or data.",
  "media.truncated": "The file is incomplete: its end, or its index, is missing.",
  "media.corrupt": "The file is damaged.",
  "media.encrypted": "The video is encrypted.",
  "media.unsupported_codec": "The video is in a format that is not supported.",
  "media.too_large": "The picture is larger than is allowed.",
  "media.too_long": "The video is longer than is allowed.",
  "worker.crashed": "Processing broke down several times on this file.",
};

const seconds = (value) => {
  const whole = Math.max(0, Math.round(value));
  const [minutes, rest] = [Math.floor(whole / 60), whole % 60];
  return minutes ? `${minutes} min ${rest} s` : `${rest} s`;
};

const bytes = (value) => {
  const units = ["B", "KB", "MB", "GB", "TB"];
  let index = 0;
  while (value >= 1000 && index < units.length - 1) {
    value /= 1000;
    index += 1;
  }
  return `${value.toFixed(index && value < 100 ? 1 : 0)} ${units[index]}`;
};

const percent = (value) => `${Math.floor(value * 100)} %`;

const explain = (code, message) => {
  const words = PROBLEMS[code];
  return words ? `${words} (${code})` : `${message || "Something went wrong."} (${code || "unknown"})`;
};

const explainProblem = (text, status) => {
  try {
    const problem = JSON.parse(text);
    const fields = (problem.errors || []).map((error) => `${error.pointer}: ${error.detail}`).join("; ");
    return explain(problem.code, fields || problem.detail);
  } catch {
    return status ? `The server answered with status ${status}.` : "The server can't be reached.";
  }
};

// ---- uploading --------------------------------------------------------------------------------------------------

const form = $("#upload");
const fileInput = $("#file");
const drop = $("#drop");
let running = null;

const showFile = () => {
  const file = fileInput.files[0];
  $("#drop-title").textContent = file ? file.name : "Drop a video here, or choose one";
  $("#drop-detail").textContent = file ? bytes(file.size) : "MP4, MOV, WebM, MKV and others";
};

const recipe = () => {
  const fields = new FormData(form);
  if (fields.get("mode") === "showcase") return "showcase";
  const number = (name) => (fields.get(name) === "" ? null : Number(fields.get(name)));
  const steps = [];
  const [start, end, height] = [number("start"), number("end"), number("height")];
  if (start !== null || end !== null) {
    steps.push({ step: "trim", ...(start !== null && { start }), ...(end !== null && { end }) });
  }
  if (height !== null) steps.push({ step: "resize", height });
  const text = fields.get("watermark").trim();
  if (text) steps.push({ step: "watermark", text });
  if (fields.get("mute")) steps.push({ step: "mute" });
  if (fields.get("poster")) steps.push({ step: "thumbnails" });
  return JSON.stringify({ version: 1, steps });
};

const uploadError = (text) => {
  $("#upload-error").textContent = text;
  $("#upload-error").hidden = !text;
};

const uploading = (yes) => {
  $("#send").disabled = yes;
  $("#stop").hidden = !yes;
  $("#sent").hidden = !yes;
  if (!yes) {
    running = null;
    $("#sent-text").textContent = "";
  }
};

const upload = (file) => {
  const body = new FormData();
  // The recipe goes first, so that a bad one is refused before the file has been sent.
  body.append("recipe", recipe());
  body.append("file", file);
  const began = performance.now();
  const request = new XMLHttpRequest();
  running = request;
  uploadError("");
  uploading(true);
  request.upload.addEventListener("progress", (event) => {
    if (!event.lengthComputable) return;
    const rate = event.loaded / ((performance.now() - began) / 1000);
    $("#sent").value = event.loaded / event.total;
    $("#sent-text").textContent = `${percent(event.loaded / event.total)}, ${bytes(rate)}/s`;
  });
  request.addEventListener("load", () => {
    uploading(false);
    if (request.status !== 202) {
      uploadError(explainProblem(request.responseText, request.status));
      return;
    }
    show(JSON.parse(request.responseText));
    form.reset();
    showFile();
    showOptions();
  });
  request.addEventListener("error", () => {
    uploading(false);
    uploadError("The connection to the server broke. Nothing was stored; try again.");
  });
  request.addEventListener("abort", () => uploading(false));
  request.open("POST", "/v1/videos");
  request.send(body);
};

const showOptions = () => {
  $("#own").hidden = form.elements.mode.value !== "own";
};

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (fileInput.files[0] && !running) upload(fileInput.files[0]);
});
form.addEventListener("change", showOptions);
fileInput.addEventListener("change", showFile);
$("#stop").addEventListener("click", () => running?.abort());

for (const name of ["dragenter", "dragover"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
for (const name of ["dragleave", "drop"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.remove("over");
  });
}
drop.addEventListener("drop", (event) => {
  if (!event.dataTransfer.files.length) return;
  fileInput.files = event.dataTransfer.files;
  showFile();
});
// A file that misses the target must not replace the page.
for (const name of ["dragover", "drop"]) window.addEventListener(name, (event) => event.preventDefault());

// ---- the list ---------------------------------------------------------------------------------------------------

const call = async (path, options) => {
  const response = await fetch(path, { headers: { Accept: "application/json" }, ...options });
  if (!response.ok) throw new Error(explainProblem(await response.text(), response.status));
  return response.status === 204 ? null : response.json();
};

const newCard = (id) => {
  const element = $("#video-template").content.firstElementChild.cloneNode(true);
  element.dataset.id = id;
  const act = (button, path, options) =>
    $(button, element).addEventListener("click", async () => {
      try {
        const answer = await call(path, options);
        if (answer) show(answer);
        else remove(id);
      } catch (error) {
        cardError(element, error.message);
      }
    });
  act(".cancel", `/v1/videos/${id}/cancel`, { method: "POST" });
  act(".delete", `/v1/videos/${id}`, { method: "DELETE" });
  return element;
};

const cardError = (element, text) => {
  $(".error", element).textContent = text;
  $(".error", element).hidden = !text;
};

const remove = (id) => {
  cards.get(id)?.element.remove();
  cards.delete(id);
  $("#empty").hidden = cards.size > 0;
};

const facts = (video) => {
  const probe = video.original.probe;
  return [
    video.original.filename,
    video.original.size !== null && bytes(video.original.size),
    probe && `${probe.video.display_width}×${probe.video.display_height}`,
    probe && seconds(probe.duration),
    new Date(video.created_at).toLocaleString(),
  ].filter(Boolean).join(" · ");
};

const showMeter = (element, video) => {
  const busy = video.status === "queued" || video.status === "processing";
  $(".meter", element).hidden = !busy;
  $(".meter progress", element).value = video.progress;
  const left = video.eta_seconds === null ? "" : `, about ${seconds(video.eta_seconds)} left`;
  $(".eta", element).textContent = `${percent(video.progress)}${left}`;
};

const showResult = (element, video) => {
  const file = (name) => video.files.find((one) => one.name === name);
  const [result, poster] = [file("result.mp4") || file("result.webm"), file("poster.jpg")];
  const player = $("video", element);
  player.hidden = !result;
  // Setting the same source again would stop a video that plays.
  if (result && player.dataset.sha256 !== result.sha256) {
    player.dataset.sha256 = result.sha256;
    player.src = result.url;
    if (poster) player.poster = poster.url;
    player.preload = poster ? "none" : "metadata";
  }
  const download = $(".download", element);
  download.hidden = !result;
  if (result) {
    download.href = `${result.url}?download=1`;
    download.textContent = `Download result (${bytes(result.size)})`;
  }
  $(".original", element).href = `${video.original.url}?download=1`;
};

const place = (element) => {
  // The newest first: ids grow with time.
  const older = [...$("#videos").children].find((other) => other.dataset.id < element.dataset.id);
  $("#videos").insertBefore(element, older ?? null);
};

const show = (video) => {
  let card = cards.get(video.id);
  if (!card) {
    card = { element: newCard(video.id), video };
    cards.set(video.id, card);
    place(card.element);
  }
  card.video = video;
  const { element } = card;
  $("h3", element).textContent = video.title || video.original.filename;
  $(".status", element).textContent = STATUS[video.status] || video.status;
  $(".status", element).dataset.status = video.status;
  $(".facts", element).textContent = facts(video);
  $(".steps", element).replaceChildren(...video.steps.map((step) => {
    const item = document.createElement("li");
    item.textContent = step.step;
    item.dataset.state = step.state;
    item.title = step.attempts > 1 ? `${step.state}, attempt ${step.attempts}` : step.state;
    return item;
  }));
  const finished = ["ready", "failed", "canceled"].includes(video.status);
  $(".cancel", element).hidden = finished;
  $(".cancel", element).disabled = video.cancel_requested_at !== null;
  showMeter(element, video);
  showResult(element, video);
  cardError(element, video.failure ? explain(video.failure.code, video.failure.message) : "");
  $("#empty").hidden = true;
};

const loadPage = async (cursor) => {
  const query = new URLSearchParams({ limit: "10", ...(cursor && { cursor }) });
  const page = await call(`/v1/videos?${query}`);
  page.data.forEach((video) => show(video));
  return page;
};

const loadList = async () => {
  try {
    const page = await loadPage(null);
    if (nextCursor === null) nextCursor = page.next_cursor;
    $("#more").hidden = nextCursor === null;
    $("#empty").hidden = cards.size > 0;
  } catch (error) {
    $("#connection").textContent = error.message;
  }
};

$("#more").addEventListener("click", async () => {
  try {
    nextCursor = (await loadPage(nextCursor)).next_cursor;
    $("#more").hidden = nextCursor === null;
  } catch (error) {
    $("#connection").textContent = error.message;
  }
});

// ---- what happens now -------------------------------------------------------------------------------------------

const waiting = new Set();

// Several events of one video in a moment need one look.
const refresh = (id) => {
  if (!cards.has(id) || waiting.has(id)) return;
  waiting.add(id);
  setTimeout(async () => {
    waiting.delete(id);
    try {
      show(await call(`/v1/videos/${id}`));
    } catch {
      // It was deleted meanwhile, or the server is away; the stream tells which.
    }
  }, 100);
};

const listen = () => {
  const stream = new EventSource("/v1/events");
  const on = (name, act) => stream.addEventListener(name, (event) => act(JSON.parse(event.data)));
  stream.addEventListener("open", () => {
    $("#connection").textContent = "live";
    loadList();
  });
  stream.addEventListener("error", () => {
    $("#connection").textContent = "connection lost, trying again …";
    // Some failures end an EventSource for good.
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
  });
  on("video", (video) => show(video));
  for (const name of ["ready", "failed", "canceled"]) on(name, (video) => cards.has(video.id) && show(video));
  on("state", (data) => refresh(data.video_id));
  on("progress", (data) => {
    const card = cards.get(data.video_id);
    if (!card || ["ready", "failed", "canceled"].includes(card.video.status)) return;
    Object.assign(card.video, { progress: data.progress, eta_seconds: data.eta_seconds });
    showMeter(card.element, card.video);
  });
  on("deleted", (data) => remove(data.video_id));
};

showFile();
showOptions();
listen();
