// What is to come (the calibrated outlook), and what was measured on machines; said plainly where there is nothing.
const outlook = (() => {
  function chances() {
    return { none: "Not measured: these facts carry no calibrated outlook." };
  }
  function calibration() {
    return { none: "Not measured: without an outlook there is nothing to calibrate." };
  }
  function benchmarks() {
    return { none: "Not measured: there are no benchmark results in these facts." };
  }
  return { chances, calibration, benchmarks };
})();
