/* The entry points that libFuzzer calls. An embedded interpreter loads the instrumented modules from LEVO_FUZZ_LIB;
   the name of the program says which target of harness.pyx runs. */
#include <Python.h>
#include <stdint.h>
#include <string.h>

static int (*entry)(const uint8_t *, size_t);

static void stop(const char *what) {
    if (PyErr_Occurred())
        PyErr_Print();
    fprintf(stderr, "fuzz: %s\n", what);
    exit(2);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    const char *name = strrchr((*argv)[0], '/');
    PyConfig config;
    PyStatus status;
    PyObject *module, *address;

    PyConfig_InitPythonConfig(&config);
    config.install_signal_handlers = 0;
    config.parse_argv = 0;
    config.write_bytecode = 0;
    status = PyConfig_SetBytesString(&config, &config.program_name, LEVO_FUZZ_PYTHON);
    if (!PyStatus_Exception(status))
        status = PyConfig_SetBytesString(&config, &config.pythonpath_env, LEVO_FUZZ_LIB);
    if (!PyStatus_Exception(status))
        status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    if (PyStatus_Exception(status))
        stop("Python does not start");
    module = PyImport_ImportModule("levo_fuzz_harness");
    if (module == NULL)
        stop("the harness cannot be imported");
    address = PyObject_CallMethod(module, "entry", "s", name == NULL ? (*argv)[0] : name + 1);
    if (address == NULL)
        stop("no such target");
    entry = (int (*)(const uint8_t *, size_t))PyLong_AsVoidPtr(address);
    Py_DECREF(address);
    (void)argc;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return entry(data, size); }
